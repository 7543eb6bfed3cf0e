// Enhancements. Every page works without this file.
"use strict";

const byId = (id) => document.getElementById(id);

// Makes screen readers speak a text. They do not speak what is behind an open dialog.
function announce(text, region = byId("announcements")) {
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

// Copies the text of a field. Without a clipboard, selects it so that the person can copy it.
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
  if (copier?.dataset.done && text === field.dataset.copied) sayDone(copier);
  announce(text, isSpoken ? note : undefined);
}

// Says for a while on a link or button that what it offers was done.
function sayDone(control) {
  if (control.dataset.label) return;
  control.dataset.label = control.textContent;
  control.textContent = control.dataset.done;
  setTimeout(() => {
    control.textContent = control.dataset.label;
    delete control.dataset.label;
  }, 2000);
}

document.addEventListener("click", (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) {
    event.preventDefault();
    copyField(byId(copier.dataset.copy), copier);
  }
  if (event.target.closest("[data-print]")) window.print();
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

// A button to print needs this file, so it is hidden without it.
for (const printer of document.querySelectorAll("[data-print]")) printer.hidden = false;

// Focuses the place at which a page, or a part that was swapped in, continues.
const focusStart = (part) => part.querySelector("[data-focus]")?.focus();
focusStart(document);
document.addEventListener("htmx:afterSettle", (event) => focusStart(event.target));

// Announces what a part that was swapped in has to say.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.dataset?.announce) announce(event.target.dataset.announce);
});

// Copies a new link at once, as its button promised.
document.addEventListener("htmx:afterSettle", (event) => {
  const field = event.target.querySelector("[data-copy-now]");
  if (field) copyField(field);
});

// Opens the dialog that a part was swapped into. When it is closed, the focus goes back to the
// control that asked for it; if that is in a menu, to the button of the menu.
let asker = null;
document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt, target } = event.detail;
  if (!target.matches("dialog:not([open])")) return;
  const menu = elt.closest("[popover]");
  asker = menu ? document.querySelector(`[popovertarget="${menu.id}"]`) : elt;
});
document.addEventListener("htmx:afterSettle", (event) => {
  const dialog = event.target.closest("dialog");
  if (!dialog || dialog.open) return;
  document.querySelector("[popover]:popover-open")?.hidePopover();
  dialog.showModal();
  dialog.addEventListener("close", () => asker?.focus(), { once: true });
});

// Closes a dialog by a click beside it.
document.addEventListener("click", (event) => {
  if (event.target.matches("dialog[open]")) event.target.close();
});

// Says what became of the form that led to this page: screen readers do not speak what a page
// has from its beginning.
const notice = document.querySelector(".notice[role=status]");
if (notice) announce(notice.textContent.trim());

// Forgets the notice once it was shown, so that the page does not repeat it when it is reloaded.
const here = new URL(location.href);
if (here.searchParams.has("notice")) {
  here.searchParams.delete("notice");
  history.replaceState(history.state, "", here);
}

// Says on a button how many boxes are selected.
function showCount(button) {
  const count = document.querySelectorAll(button.dataset.count).length;
  button.dataset.none ??= button.textContent;
  const { none, one, many } = button.dataset;
  button.textContent = count ? (count === 1 ? one : many.replace("{count}", count)) : none;
}
const showCounts = () => document.querySelectorAll("[data-count]").forEach(showCount);
document.addEventListener("change", showCounts);
window.addEventListener("pageshow", showCounts);

// Sends each form only once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  // Enter in a field presses a button that nobody sees, in the place of the visible one.
  const isHidden = event.submitter?.matches("[aria-hidden]");
  const button = isHidden ? form.querySelector("[data-submit]") : event.submitter;
  if (event.defaultPrevented || form.matches("[hx-get], [hx-post]") || form.target === "_blank") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => {
    for (const other of form.querySelectorAll("button")) other.disabled = true;
    if (button && form.dataset.sending && !button.hasAttribute("formaction")) {
      button.dataset.label = button.textContent;
      button.textContent = form.dataset.sending;
    }
  });
});
// Makes a page usable again that comes back from the browser's cache.
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

// Shows a form that was refused with its errors; if the server sent none, the form says that it
// failed. A link or button that was refused opens its answer as a page of its own.
document.addEventListener("htmx:beforeSwap", (event) => {
  const response = event.detail;
  if (response.xhr.status < 400) return;
  response.isError = false;
  response.shouldSwap = !response.boosted && [409, 422].includes(response.xhr.status);
  if (!response.shouldSwap) showFailure(response.requestConfig);
});
document.addEventListener("htmx:sendError", (event) => showFailure(event.detail.requestConfig));

function showFailure({ elt, path }) {
  const note = elt.querySelector("[data-failed]");
  if (note) note.hidden = false;
  else if (elt.matches("a")) location.assign(path);
  else if (elt.matches("form[method=get]")) elt.submit();
  else if (elt.matches("button[formaction]")) elt.form.requestSubmit(elt);
}

// Opens the ⋮ menu beside its button; without this script, it opens in the middle of the window.
document.addEventListener("beforetoggle", (event) => {
  const menu = event.target;
  if (event.newState !== "open" || !menu.classList.contains("actions")) return;
  const button = document.querySelector(`[popovertarget="${menu.id}"]`);
  requestAnimationFrame(() => {
    const place = button.getBoundingClientRect();
    const below = place.bottom + menu.offsetHeight < innerHeight;
    const top = (below ? place.bottom + 4 : place.top - menu.offsetHeight - 4) + scrollY;
    const left = Math.max(8, place.right - menu.offsetWidth) + scrollX;
    Object.assign(menu.style, { position: "absolute", margin: 0, inset: `${top}px auto auto ${left}px` });
    menu.querySelector("a, button").focus();
  });
}, true);

// Moves through it by the arrow keys, Home and End. Escape closes it, as it closes every popover.
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest("[popover].actions");
  if (!menu) return;
  const entries = [...menu.querySelectorAll("a, button")];
  const here = entries.indexOf(event.target);
  const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: -1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  entries.at(next % entries.length).focus();
});

// Closes it when the window changes.
addEventListener("resize", () => {
  document.querySelector(".actions:popover-open")?.hidePopover();
});

// Fills in the browser's zone, or proposes it. Pages of invitees use both of these, too.
const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
function zoneText(zone, locale) { // as in pages from the server
  if (!zone.includes("/") || zone.startsWith("Etc/")) return zone;
  const city = zone.split("/").at(-1).replaceAll("_", " ");
  const { value } = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: "longGeneric" })
    .formatToParts(new Date()).find(({ type }) => type === "timeZoneName");
  return value.includes(city) ? value : `${value} – ${city}`;
}
const guess = document.querySelector("input[data-guess-zone]");
if (guess && !guess.value) guess.value = guess.defaultValue = browserZone;
const proposal = document.querySelector("form[data-propose-zone]");
if (proposal && browserZone && browserZone !== "UTC") {
  proposal.elements.time_zone.value = browserZone;
  proposal.querySelector("strong").textContent = zoneText(browserZone, proposal.dataset.proposeZone);
  proposal.hidden = false;
}

// Asks before changes in a form are lost. A form that was sent back has changes from the beginning.
const guarded = document.querySelector("form[data-guard]");
if (guarded) {
  const isChanged = ({ checked, defaultChecked, options, value, defaultValue }) =>
    options ? isReselected([...options]) : value !== defaultValue || checked !== defaultChecked;
  const isReselected = (options) =>
    options.some((option) => option.defaultSelected) &&
    options.some((option) => option.selected !== option.defaultSelected);
  const hasChanges = () => guarded.dataset.guard === "unsaved" || [...guarded.elements]
    .some((field) => field.name && !field.matches("button, [data-not-saved]") && isChanged(field));
  addEventListener("beforeunload", (event) => {
    if (!guarded.dataset.sent && hasChanges()) event.preventDefault();
  });
}
