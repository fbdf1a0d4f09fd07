// Reports how much of the video was really played. The server judges what of it counts.
"use strict";
(() => {
  const video = document.querySelector("video[data-report]");
  const seen = document.getElementById("seen");
  const EVERY = 5;
  let told = -EVERY;
  let enough = false;

  // the ranges that were played; a jump leaves a gap between two of them
  const played = () => {
    let whole = 0;
    for (let number = 0; number < video.played.length; number += 1) {
      whole += video.played.end(number) - video.played.start(number);
    }
    return whole;
  };

  const body = () => new URLSearchParams({ played: played().toFixed(1), length: video.duration.toFixed(1) });

  const report = async () => {
    if (enough || !Number.isFinite(video.duration)) return;
    told = played();
    const answer = await fetch(video.dataset.report, { method: "POST", body: body() });
    if (!answer.ok) return;
    const found = await answer.json();
    enough = found.enough;
    seen.textContent = enough
      ? video.dataset.done
      : video.dataset.enough.replace("{at_least}", video.dataset.atLeast).replace("{percent}", found.percent);
  };

  const quietly = () => report().catch(() => { told = -EVERY; });
  const instead = () => { document.getElementById("instead").hidden = false; };

  video.addEventListener("playing", quietly);
  video.addEventListener("timeupdate", () => { if (played() - told >= EVERY) quietly(); });
  video.addEventListener("pause", quietly);
  video.addEventListener("ended", quietly);
  video.addEventListener("error", instead);
  if (video.error) instead();
  window.addEventListener("pagehide", () => {
    if (!enough && Number.isFinite(video.duration)) navigator.sendBeacon(video.dataset.report, body());
  });
})();
