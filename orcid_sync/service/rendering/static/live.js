// Keeps a board up to date with what the server sends. Without it, or while it is paused, the page is read again by hand.
(() => {
  const board = document.getElementById("board");
  const state = document.getElementById("live-state");
  const pause = document.getElementById("live-pause");
  let source = null;

  // Nothing moves under the hands of somebody who reads: neither what has the focus nor what is being copied.
  const busy = () => board.contains(document.activeElement) || String(getSelection()) !== "";

  const show = ({ data }) => {
    state.textContent = "Live";
    if (busy()) return;
    const next = new DOMParser().parseFromString(data, "text/html").body;
    for (const open of board.querySelectorAll("details[open]")) next.querySelector(`#${open.id}`)?.setAttribute("open", "");
    board.replaceChildren(...next.childNodes);
  };
  const start = () => {
    source = new EventSource(board.dataset.live);
    source.onmessage = show;
    source.onerror = () => { state.textContent = source.readyState === EventSource.CLOSED ? "Not live: read the page again" : "Connecting again"; };
    pause.textContent = "Pause";
  };
  const stop = () => {
    source.close();
    source = null;
    state.textContent = "Paused";
    pause.textContent = "Go on";
  };
  pause.hidden = false;
  pause.addEventListener("click", () => (source ? stop() : start()));
  addEventListener("pagehide", () => source?.close());
  start();
})();
