// Shows the API document on its page, in light or dark as the reader's system has it.

const page = document.querySelector("rapi-doc");
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 48rem)");

const COLOURS = {
  light: {
    "bg-color": "#fbfaf7",
    "text-color": "#2a2622",
    "primary-color": "#9c3b2a",
    "nav-bg-color": "#efebe4",
    "nav-text-color": "#3a342e",
  },
  dark: {
    "bg-color": "#191715",
    "text-color": "#e4dfd8",
    "primary-color": "#d9705b",
    "nav-bg-color": "#221f1c",
    "nav-text-color": "#d8d0c5",
  },
};

function dress() {
  const theme = dark.matches ? "dark" : "light";
  page.setAttribute("theme", theme);
  for (const [name, colour] of Object.entries(COLOURS[theme])) page.setAttribute(name, colour);
  // The menu beside "focused" needs a wide screen; "view" lists the operations, closed.
  page.setAttribute("render-style", narrow.matches ? "view" : "focused");
}

async function show() {
  const response = await fetch(page.dataset.document);
  const content = await response.json();
  await customElements.whenDefined("rapi-doc");
  // RapiDoc shows 3.1 either way, but reads what is named 3.1 ten times as slowly.
  await page.loadSpec({ ...content, openapi: "3.0.3" });
}

dress();
dark.addEventListener("change", dress);
narrow.addEventListener("change", dress);
show();
