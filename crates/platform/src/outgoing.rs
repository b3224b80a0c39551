//! The one place where requests leave this process.

use std::time::Duration;

use futures::StreamExt;

/// How long and how much an answer from outside may be.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingLimits {
    /// For the connection to stand.
    pub connect: Duration,
    /// For the whole exchange.
    pub total: Duration,
    /// Of the answer's body, in bytes.
    pub body: usize,
}

impl Default for OutgoingLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), total: Duration::from_secs(5), body: 256 * 1024 }
    }
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// It took longer than the limit.
    #[error("no answer within the time allowed")]
    TimedOut,
    /// Nobody there, or the connection broke.
    #[error("could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is larger than the limit.
    #[error("the answer is larger than allowed")]
    TooLarge,
    /// The request itself could not be made.
    #[error("the request could not be made")]
    Malformed,
}

/// A client that follows no redirects, uses no proxy, and bounds time and size.
#[derive(Debug, Clone)]
pub struct Outgoing {
    client: reqwest::Client,
    limits: OutgoingLimits,
}

impl Outgoing {
    /// A client with these limits.
    ///
    /// # Errors
    /// When the TLS roots of the platform cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the one place where HTTP clients are made")]
    pub fn new(limits: OutgoingLimits) -> Result<Self, OutgoingError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            .no_proxy()
            .build()
            .map_err(|_| OutgoingError::Malformed)?;
        Ok(Self { client, limits })
    }

    /// Sends `request` and reads the answer whole, within the limits.
    ///
    /// # Errors
    /// [`OutgoingError`]; an answer with an error status is an answer, not an error.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, OutgoingError> {
        let request = reqwest::Request::try_from(request).map_err(|_| OutgoingError::Malformed)?;
        let answer = self.client.execute(request).await.map_err(classify)?;
        let mut out = http::Response::builder().status(answer.status());
        if let Some(headers) = out.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut body = Vec::new();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(classify)?;
            if body.len() + part.len() > self.limits.body {
                return Err(OutgoingError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        out.body(body).map_err(|_| OutgoingError::Malformed)
    }
}

fn classify(error: reqwest::Error) -> OutgoingError {
    if error.is_timeout() { OutgoingError::TimedOut } else { OutgoingError::Unreachable(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn answering(reply: Vec<u8>, pause: Duration) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = peer.read(&mut asked).await;
            tokio::time::sleep(pause).await;
            let _ = peer.write_all(&reply).await;
        });
        format!("http://{address}/")
    }

    async fn ask(url: &str) -> Result<http::Response<Vec<u8>>, OutgoingError> {
        let limits =
            OutgoingLimits { connect: Duration::from_secs(1), total: Duration::from_millis(300), body: 64 };
        Outgoing::new(limits).unwrap().send(http::Request::get(url).body(Vec::new()).unwrap()).await
    }

    #[tokio::test]
    async fn size_time_and_redirects_are_bounded() {
        let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n{}", "x".repeat(65));
        let url = answering(long.into_bytes(), Duration::ZERO).await;
        assert!(matches!(ask(&url).await, Err(OutgoingError::TooLarge)));

        let url = answering(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Duration::from_secs(5)).await;
        assert!(matches!(ask(&url).await, Err(OutgoingError::TimedOut)));

        let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let url = answering(moved.to_vec(), Duration::ZERO).await;
        assert_eq!(ask(&url).await.unwrap().status(), 302);

        assert!(matches!(ask("http://127.0.0.1:1/").await, Err(OutgoingError::Unreachable(_))));
    }
}
