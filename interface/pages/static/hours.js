// Draws time over the hours of a day, and fills in the form that blocks it. The form works alone.
"use strict";

(() => {
  const STEP = 15; // minutes
  const grid = document.querySelector("[data-hours]");
  const block = document.getElementById("block-time");
  if (!grid || !block) return;
  const first = Number(grid.dataset.first) * 60;
  const until = Number(grid.dataset.until) * 60;
  const twoDigits = (number) => String(number).padStart(2, "0");
  const clock = (minute) => `${twoDigits(Math.floor(minute / 60) % 24)}:${twoDigits(minute % 60)}`;
  const row = (minute) => (minute - first) / 5 + 1;
  let drawn = null;
  grid.classList.add("drawable");

  function minuteAt(column, y) {
    const place = column.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (y - place.top) / place.height));
    return first + part * (until - first);
  }

  function show() {
    const begins = Math.floor(Math.min(drawn.from, drawn.to) / STEP) * STEP;
    const ends = Math.ceil(Math.max(drawn.from, drawn.to) / STEP) * STEP;
    drawn.mark.style.gridRow = `${row(begins)} / ${row(ends)}`;
    drawn.mark.textContent = `${clock(begins)}–${clock(ends)}`;
    Object.assign(drawn, { begins, ends });
  }

  function forget() {
    drawn?.mark.remove();
    drawn = null;
  }

  grid.addEventListener("pointerdown", (event) => {
    const column = event.target.closest("[data-day]");
    // A finger scrolls the page.
    if (!column || event.button || event.pointerType === "touch" || event.target.closest("a")) return;
    forget();
    const minute = minuteAt(column, event.clientY);
    drawn = { column, from: minute, to: minute, mark: document.createElement("li"), isHeld: true };
    drawn.mark.className = "drawn";
    column.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  grid.addEventListener("pointermove", (event) => {
    if (!drawn?.isHeld) return;
    drawn.to = minuteAt(drawn.column, event.clientY);
    if (!drawn.mark.isConnected && Math.abs(drawn.to - drawn.from) < STEP / 3) return;
    if (!drawn.mark.isConnected) drawn.column.append(drawn.mark);
    show();
  });
  grid.addEventListener("pointercancel", forget);
  grid.addEventListener("pointerup", () => {
    if (!drawn?.isHeld) return;
    drawn.isHeld = false;
    if (!drawn.mark.isConnected) return forget();
    block.open = true;
    const fields = block.querySelector("form").elements;
    fields.on.value = drawn.column.dataset.day;
    fields.begins.value = clock(drawn.begins);
    fields.ends.value = clock(drawn.ends);
    block.querySelector("button[value=block]").focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") forget();
  });
})();
