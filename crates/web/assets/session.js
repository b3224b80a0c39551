// Says, politely, two minutes before the session ends, that it will. Every page says when it ends without
// this script too, and the button that keeps it alive is a plain form.
(function () {
  "use strict";
  var strip = document.getElementById("session");
  var notice = document.getElementById("session-notice");
  if (!strip || !notice) return;

  var secondsLeft = Number(strip.dataset.secondsLeft);
  if (!Number.isFinite(secondsLeft)) return;
  var at = strip.dataset.endsAt;
  var canExtend = strip.dataset.canExtend === "true";
  // By the machine's clock, not by counting ticks: a laptop that slept must not say it too late.
  var endsAt = Date.now() + secondsLeft * 1000;

  var said = "";
  function say(text) {
    if (text === said) return;
    said = text;
    notice.textContent = text;
  }

  var timer = setInterval(look, 5000);
  function look() {
    var left = endsAt - Date.now();
    if (left <= 0) {
      clearInterval(timer);
      say("Unless you used another page since, you are signed out now.");
    } else if (left <= 120000) {
      say(
        "You will be signed out at " + at + ", in 2 minutes or less." +
        (canExtend ? " Use \"Stay signed in\" to go on." : " Send what you are writing now.")
      );
    }
  }
  look();
})();
