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
  function fillIn() {
    block.open = true;
    const fields = block.querySelector("form").elements;
    fields.on.value = drawn.column.dataset.day;
    fields.begins.value = clock(drawn.begins);
    fields.ends.value = clock(drawn.ends);
    block.querySelector("button[value=block]").focus();
  }
  grid.addEventListener("pointerup", () => {
    if (!drawn?.isHeld) return;
    drawn.isHeld = false;
    if (drawn.mark.isConnected) fillIn();
    else forget();
  });

  // The same by the keyboard: a button that the arrow keys move over the hours. Space or Enter
  // begins a stretch of time there, and ends it.
  const columns = [...grid.querySelectorAll("[data-day]")].filter((column) => column.offsetParent);
  if (!columns.length) return;
  const place = document.createElement("li");
  const cursor = document.createElement("button");
  cursor.type = "button";
  place.className = "cursor";
  place.append(cursor);
  let at = {
    day: Math.max(0, columns.findIndex((column) => column.closest(".today"))),
    minute: Math.min(Math.max(9 * 60, first), until - STEP),
  };

  function standHere() {
    const column = columns[at.day];
    place.style.gridRow = `${row(at.minute)} / ${row(at.minute + STEP)}`;
    if (place.parentElement !== column) column.append(place);
    const day = grid.querySelector(`#${column.getAttribute("aria-labelledby")}`).textContent.trim();
    const times = drawn ? drawn.mark.textContent : clock(at.minute);
    const middle = cursor.getBoundingClientRect().top + 1;
    const under = [...column.querySelectorAll("li:not(.cursor, .drawn)")].filter((piece) => {
      const { top, bottom } = piece.getBoundingClientRect();
      return top <= middle && middle < bottom;
    });
    const text = [day, times, under.at(-1)?.textContent.trim()].filter(Boolean).join(", ");
    cursor.setAttribute("aria-label", text.replace(/\s+/g, " "));
    cursor.setAttribute("aria-pressed", String(Boolean(drawn)));
  }

  function begin() {
    const mark = document.createElement("li");
    mark.className = "drawn";
    drawn = { column: columns[at.day], from: at.minute, to: at.minute + STEP, mark, isHeld: false };
    drawn.column.append(mark);
    show();
  }

  cursor.addEventListener("click", () => {
    if (drawn) fillIn();
    else begin();
    standHere();
  });
  cursor.addEventListener("keydown", (event) => {
    const minutes = { ArrowDown: STEP, ArrowUp: -STEP, PageDown: 60, PageUp: -60 }[event.key];
    const days = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const end = { Home: first, End: until - STEP }[event.key];
    if (minutes === undefined && days === undefined && end === undefined) return;
    event.preventDefault();
    at.minute = Math.min(Math.max(end ?? at.minute + (minutes ?? 0), first), until - STEP);
    // A stretch of time is on one day.
    if (!drawn) at.day = Math.min(Math.max(at.day + (days ?? 0), 0), columns.length - 1);
    else {
      drawn.to = at.minute < drawn.from ? at.minute : at.minute + STEP;
      show();
    }
    standHere();
    cursor.focus();
    announce(cursor.getAttribute("aria-label"));
  });
  standHere();
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    forget();
    standHere();
  });
})();
