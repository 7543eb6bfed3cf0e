// What the pages of an invitee do beyond their forms. Every page works without this file.
"use strict";

// Keeps what is typed in this tab, until it is booked.
const DRAFTS = "admitone-draft:";
const kept = storageOfTab();
const draftKey = DRAFTS + location.pathname.replace(/\/(times|ask)$/, "");
const draft = () => JSON.parse(kept?.getItem(draftKey) ?? "{}");
const isDraft = (field) => field.matches("form[data-draft] :is(input:not([type=hidden], [type=radio]), textarea)");

document.addEventListener("input", ({ target }) => {
  if (isDraft(target)) kept?.setItem(draftKey, JSON.stringify({ ...draft(), [target.name]: target.value }));
});
function storageOfTab() {
  try {
    return sessionStorage;
  } catch {
    return null; // in a browser that is told to keep nothing, not even cookies
  }
}
function fillIn(part) {
  for (const [name, text] of Object.entries(draft())) {
    const field = part.querySelector(`form[data-draft] [name="${CSS.escape(name)}"]`);
    if (field) field.value = text;
  }
}
fillIn(document);
window.addEventListener("pageshow", () => fillIn(document));
document.addEventListener("htmx:afterSettle", (event) => fillIn(event.target.parentNode ?? document));
// Zone, clock and language are changed by a new address instead of by sending the form, so that
// one can go back from there. What was typed is kept.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[form][formaction]");
  if (!button) return;
  event.preventDefault();
  const address = new URL(button.form.action);
  const choices = new URL(button.formAction).searchParams;
  const sent = new FormData(button.form);
  const start = sent.get("start");
  if (start) address.searchParams.set("start", start);
  if (!choices.size) choices.set("tz", sent.get("tz"));
  if (button.name) choices.set(button.name, button.value);
  for (const [name, value] of choices) address.searchParams.set(name, value);
  location.assign(address);
});
if (document.querySelector("[data-booked]")) {
  for (const key of Object.keys(kept ?? {})) if (key.startsWith(DRAFTS)) kept.removeItem(key);
}

// Shows the page in the browser's time zone, which the server does not know on the first visit,
// and keeps that zone for the next pages.
const ZONE_COOKIE = "admitone-zone";
const asked = document.querySelector("[data-ask-zone]");
if (asked && browserZone && browserZone !== asked.dataset.askZone) showIn(browserZone);

function showIn(zone) {
  const cookie = `${ZONE_COOKIE}=${zone}`;
  const isKept = () => document.cookie.split("; ").includes(cookie);
  if (isKept()) return; // and the server does not know it
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${cookie}; path=${asked.dataset.root}; max-age=31536000; samesite=lax${secure}`;
  const chooser = document.getElementById("chooser");
  if (chooser && !(isKept() && "starts" in chooser.dataset && regroup(chooser, zone))) {
    const address = new URL(location.href);
    if (!isKept()) address.searchParams.set("tz", zone);
    location.replace(address);
    return;
  }
  const day = new Intl.DateTimeFormat(asked.dataset.locale, { dateStyle: "full", timeZone: zone });
  for (const time of asked.querySelectorAll("h1 time")) time.textContent = day.format(new Date(time.dateTime));
  for (const name of asked.querySelectorAll(".zone strong")) name.textContent = zoneText(zone, asked.dataset.locale);
  for (const field of asked.querySelectorAll("#tz")) field.placeholder = zone;
}

// Sorts the free times of the page into the days of another zone. Returns false, with nothing
// changed, if some lie on days that the page does not have, or if it has no list of times.
function regroup(chooser, zone) {
  const cells = [...chooser.querySelectorAll(".days > li")];
  if (!cells.length) return true;
  if (!chooser.querySelector(".times")) return false;
  const first = Date.parse(chooser.querySelector(".days").dataset.first);
  const days = new Map(cells.map((_, place) => [new Date(first + place * 86400000).toISOString().slice(0, 10), []]));
  const dayOf = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" });
  for (const start of unpacked(chooser.dataset.starts)) {
    const day = days.get(dayOf.format(start));
    if (!day) return false;
    day.push(start);
  }
  const { address, one, many, none } = chooser.dataset;
  // Without a day in the address, the server shows the first free one: here it may be another.
  const wanted = new URLSearchParams(location.search).get("day");
  const chosen = days.get(wanted)?.length ? wanted : [...days].find(([, starts]) => starts.length)?.[0];
  const longDay = new Intl.DateTimeFormat(asked.dataset.locale, { dateStyle: "full", timeZone: "UTC" });
  [...days].forEach(([day, starts], place) => {
    const number = cells[place].firstElementChild.firstChild.textContent;
    const cell = document.createElement(starts.length ? "a" : "span");
    cell.append(number);
    if (starts.length) {
      cell.id = `day-${day}`;
      cell.href = `${address}from=${chooser.querySelector(".days").dataset.first}&day=${day}#times`;
      const count = starts.length === 1 ? one : many.replace("{count}", starts.length);
      cell.setAttribute("aria-label", `${longDay.format(new Date(day))}, ${count}`);
      if (day === chosen) cell.setAttribute("aria-current", "date");
    } else {
      const hint = document.createElement("span");
      hint.className = "visually-hidden";
      hint.append(`: ${none}`);
      cell.append(hint);
    }
    cells[place].replaceChildren(cell);
  });
  if (chosen) {
    chooser.querySelector("#times").textContent = longDay.format(new Date(chosen));
    showTimes(chooser, days.get(chosen), zone);
  }
  window.htmx?.process(chooser);
  return true;
}

function showTimes(chooser, starts, zone) {
  const { locale, clock } = asked.dataset;
  const hourCycle = clock === "24" ? "h23" : "h12";
  const format = (timeZone) => new Intl.DateTimeFormat(locale, { timeStyle: "short", hourCycle, timeZone });
  const named = (start, timeZone, what) =>
    new Intl.DateTimeFormat(locale, { ...what, timeZone }).formatToParts(start).find(({ type }) => type in what).value;
  const hostZone = chooser.dataset.hostZone;
  const day = (timeZone) => new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" });
  const labels = starts.map((start) => format(zone).format(start));
  const isTwice = (label) => labels.indexOf(label) !== labels.lastIndexOf(label);
  let differs = false;
  chooser.querySelector(".times").replaceChildren(...starts.map((start, place) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const time = document.createElement("time");
    time.dateTime = start.toISOString().replace(".000", "");
    time.append(labels[place]);
    if (isTwice(labels[place])) time.append(` (${named(start, zone, { timeZoneName: "longOffset" })})`);
    link.href = `${chooser.dataset.address}start=${time.dateTime}#details`;
    link.append(time);
    const theirs = format(hostZone).format(start);
    const isSameDay = day(zone).format(start) === day(hostZone).format(start);
    const host = document.createElement("small");
    host.className = "host-time";
    host.append(isSameDay ? theirs : `${named(start, hostZone, { weekday: "short" })} ${theirs}`);
    differs ||= !isSameDay || theirs !== labels[place];
    link.append(host);
    item.append(link);
    return item;
  }));
  if (!differs) chooser.querySelectorAll(".host-time").forEach((host) => host.remove());
  const whose = chooser.querySelector(".whose-times");
  if (whose) whose.hidden = !differs;
}

// The server writes starts as distances in minutes, as in "29735100*1,30*15".
function unpacked(text) {
  const starts = [];
  let minute = 0;
  for (const part of text.split(",").filter(Boolean)) {
    const [step, times] = part.split("*").map(Number);
    for (let n = 0; n < times; n += 1) starts.push(new Date((minute += step) * 60000));
  }
  return starts;
}
