// Passkeys: asks the browser for one, and sends what it says with the form. Loaded by the pages
// that have such a form, which stays hidden where the browser has no passkeys.
"use strict";

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// The server's JSON has bytes as base64url, and names that browsers want as bytes.
function asOptions(json) {
  const known = (json.excludeCredentials ?? []).map((each) => ({ ...each, id: bytes(each.id) }));
  const options = { ...json, challenge: bytes(json.challenge) };
  if (json.user) Object.assign(options, { user: { ...json.user, id: bytes(json.user.id) }, excludeCredentials: known });
  return options;
}

// By hand, because the objects of some password managers lack toJSON().
function asJson({ id, rawId, type, response }) {
  const parts = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) parts[name] = text(response[name]);
  }
  return JSON.stringify({ id, rawId: text(rawId), type, response: parts });
}

async function askFor(form) {
  const token = form.querySelector("[name=form_token]")?.value ?? "";
  const answer = await fetch(form.dataset.options, {
    method: "POST", body: new URLSearchParams({ form_token: token }),
  });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  const publicKey = asOptions(await answer.json());
  return form.dataset.passkey === "create"
    ? navigator.credentials.create({ publicKey })
    : navigator.credentials.get({ publicKey });
}

async function fillIn(form) {
  const note = form.querySelector("[data-refused]");
  note.textContent = "";
  try {
    form.querySelector("[data-credential]").value = asJson(await askFor(form));
  } catch (error) {
    note.textContent = error.name === "InvalidStateError" ? note.dataset.known : note.dataset.refused;
    return;
  }
  form.dataset.filled = "yes";
  form.requestSubmit();
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.hidden = !window.PublicKeyCredential;
  form.addEventListener("submit", (event) => {
    if (form.dataset.filled) return;
    event.preventDefault();
    fillIn(form);
  });
}
