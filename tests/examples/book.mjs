// Issues a link, books with it, and reads the booking. Needs Node 18 or newer, no packages.
//
// node book.mjs CALENDAR_ID, with the address of the API in API and an owner's key in KEY.

import { randomUUID } from "node:crypto";

const { API, KEY } = process.env;
const calendar = process.argv[2];
const owner = { Authorization: `Bearer ${KEY}` };

async function call(method, path, { body, headers } = {}) {
  const answer = await fetch(API + path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(`${json.type}: ${json.detail}`);
  return { ...json, position: answer.headers.get("X-Log-Position") };
}

// The owner issues a link.
const link = await call("POST", `/calendars/${calendar}/links`, {
  headers: owner,
  body: { recipient: "Ada" },
});
console.log("link", link.url);

// The invitee needs no key: the token of the link is enough.
const { slots } = await call("GET", `/booking-links/${link.token}/slots`);
console.log("free", slots.length);

// After a lost answer, the same request with the same key gets the same booking.
const booking = await call("POST", `/booking-links/${link.token}/redeem`, {
  headers: { "Idempotency-Key": randomUUID() },
  body: {
    start: slots.at(-1).start,
    invitee: { name: "Ada", email: "ada@example.org" },
  },
});

// The owner reads it. X-Min-Position waits until the view shows the write.
const read = await call("GET", `/bookings/${booking.booking_id}`, {
  headers: { ...owner, "X-Min-Position": booking.position },
});
console.log("booking", read.status, read.start, read.invitee.name);
