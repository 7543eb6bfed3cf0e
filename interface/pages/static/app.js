// Small comforts. Every page works without this file.
"use strict";

const byId = (id) => document.getElementById(id);

// What a screen reader should speak now. What lies behind an open dialog is not spoken.
function announce(text, region = byId("announcements")) {
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

// Copy the text of a field. Where there is no clipboard, select it for the person to copy.
async function copyField(field, copier) {
  field.focus();
  field.select();
  const note = byId(field.dataset.note);
  let text = field.dataset.copied;
  try {
    await navigator.clipboard.writeText(field.value);
    if (copier) copier.focus();
  } catch {
    text = field.dataset.notCopied;
    field.closest(".visually-hidden")?.classList.remove("visually-hidden");
    field.select();
  }
  const isSpoken = note && note.getAttribute("role") === "status";
  if (note && !isSpoken) note.textContent = text;
  announce(text, isSpoken ? note : undefined);
}

document.addEventListener("click", (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) {
    event.preventDefault();
    copyField(byId(copier.dataset.copy), copier);
  }
  const all = event.target.closest("[data-check-all]");
  if (all) {
    for (const box of document.querySelectorAll(all.dataset.checkAll)) box.checked = all.checked;
  }
  const closer = event.target.closest("[data-close]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
  }
});

// Where a page or a part of one wants the reader to go on.
const goOn = (part) => part.querySelector("[data-focus]")?.focus();
goOn(document);
document.addEventListener("htmx:afterSettle", (event) => goOn(event.target));

// What has come to an end while the page looked on.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.dataset?.announce) announce(event.target.dataset.announce);
});

// A link that was issued a moment ago is copied at once: that is what the button said.
document.addEventListener("htmx:afterSettle", (event) => {
  const field = event.target.querySelector("[data-copy-now]");
  if (field) copyField(field);
  const dialog = event.target.closest("dialog");
  if (dialog && !dialog.open) dialog.showModal();
});

// Forms are sent once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  if (event.defaultPrevented || form.hasAttribute("hx-post") || form.target === "_blank") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => {
    for (const other of form.querySelectorAll("button")) other.disabled = true;
    if (button && form.dataset.sending) {
      button.dataset.label = button.textContent;
      button.textContent = form.dataset.sending;
    }
  });
});
// A page that comes back from the browser's memory can be used again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) {
      button.disabled = false;
      if (button.dataset.label) button.textContent = button.dataset.label;
    }
  }
});

// A form that was refused comes back with what is wrong; where there is no such answer, the
// form says so. A followed link that is refused is shown as a page of its own.
document.addEventListener("htmx:beforeSwap", (event) => {
  const answer = event.detail;
  if (answer.xhr.status < 400) return;
  answer.isError = false;
  answer.shouldSwap = !answer.boosted && [409, 422].includes(answer.xhr.status);
  if (!answer.shouldSwap) showFailure(answer.requestConfig);
});
document.addEventListener("htmx:sendError", (event) => showFailure(event.detail.requestConfig));

function showFailure({ elt, path }) {
  const note = elt.querySelector("[data-failed]");
  if (note) note.hidden = false;
  else if (elt.matches("a")) location.assign(path);
}

// The ⋮ menu opens beside its button.
document.addEventListener("beforetoggle", (event) => {
  const menu = event.target;
  if (event.newState !== "open" || !menu.classList.contains("actions")) return;
  const button = document.querySelector(`[popovertarget="${menu.id}"]`);
  requestAnimationFrame(() => {
    const place = button.getBoundingClientRect();
    const below = place.bottom + menu.offsetHeight < innerHeight;
    menu.style.top = `${(below ? place.bottom + 4 : place.top - menu.offsetHeight - 4) + scrollY}px`;
    menu.style.left = `${Math.max(8, place.right - menu.offsetWidth) + scrollX}px`;
    menu.querySelector("a, button").focus();
  });
}, true);

// It does not stay behind when the window changes.
addEventListener("resize", () => {
  document.querySelector(".actions:popover-open")?.hidePopover();
});

// Times are shown in the reader's zone, once it is known and unless another was chosen.
const zoned = document.querySelector("[data-ask-zone]");
if (zoned) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone !== zoned.dataset.askZone) {
    const address = new URL(location.href);
    address.searchParams.set("tz", zone);
    location.replace(address);
  }
}
const guess = document.querySelector("input[data-guess-zone]");
if (guess && !guess.value) guess.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
