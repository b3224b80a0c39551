//! The binary, started as a person would, and what it says.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One line a process wrote.
pub type Line = String;

/// A process whose output is kept. It is ended, and waited for, when it goes.
pub struct Process {
    child: Child,
    said: Arc<Mutex<Vec<Line>>>,
    complained: Arc<Mutex<Vec<Line>>>,
    next: Receiver<Line>,
}

impl Process {
    /// Starts `command`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::spawn(command.stderr(Stdio::piped()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (told, next) = channel();
        let (said, complained) = (Arc::default(), Arc::default());
        let stdout = child.stdout.take().expect("standard output is piped");
        keep(stdout, Arc::clone(&said), Some(told));
        if let Some(stderr) = child.stderr.take() {
            keep(stderr, Arc::clone(&complained), None);
        }
        Self { child, said, complained, next }
    }

    /// Starts `command` with standard error thrown away: for measuring, where keeping lines would cost.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_quiet(command: &mut Command) -> Self {
        Self::spawn(command.stderr(Stdio::null()))
    }

    /// Its exit code, once it has ended; -1 when a signal ended it.
    pub fn exit_code(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("the process can be waited for")?;
        Some(status.code().unwrap_or(-1))
    }

    /// The next line on standard output that `wanted` takes.
    ///
    /// # Panics
    /// When none comes within a minute.
    #[must_use]
    pub fn line(&self, wanted: impl Fn(&str) -> bool) -> Line {
        let until = Instant::now() + Duration::from_secs(60);
        while let Ok(line) = self.next.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if wanted(&line) {
                return line;
            }
        }
        panic!("the line never came; it said {:?} and complained {:?}", self.said(), self.complained());
    }

    /// The next line on standard output that is a JSON object.
    #[must_use]
    pub fn json_line(&self) -> Value {
        let line = self.line(|line| line.starts_with('{'));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// All of standard output so far.
    #[must_use]
    pub fn said(&self) -> Vec<Line> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of standard error so far.
    #[must_use]
    pub fn complained(&self) -> Vec<Line> {
        self.complained.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, as Ctrl-C does, and waits at most `patience`. How long it took, and its exit code.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub fn interrupt(&mut self, patience: Duration) -> (Duration, Option<i32>) {
        let started = Instant::now();
        self.signal();
        let code = self.wait(patience);
        (started.elapsed(), code)
    }

    /// Asks it to stop, as Ctrl-C does, and does not wait.
    ///
    /// # Panics
    /// When it cannot be signalled.
    pub fn signal(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process could not be signalled");
    }

    /// Waits at most `patience` for it to end. Its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self, patience: Duration) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status.code();
            }
            assert!(started.elapsed() < patience, "it did not stop within {patience:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(
    from: impl Read + Send + 'static,
    into: Arc<Mutex<Vec<Line>>>,
    tell: Option<std::sync::mpsc::Sender<Line>>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            if let Some(tell) = &tell {
                // Nobody may be waiting for lines any more.
                let _ = tell.send(line);
            }
        }
    });
}
