// What a page gains with scripts: copy, download, print, show a password, one submit at a time.
// Every page works without this file; what needs it is hidden until it runs.
"use strict";

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain http has no clipboard object; a selection still works there.
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "aside";
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
};

const save = ({ head, text, file }) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${head}\n\n${text}\n`], { type: "text/plain" }));
  // No system takes these in a name.
  link.download = file.replace(/[\\/:*?"<>|]+/g, "-");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

for (const button of document.querySelectorAll("[data-do]")) {
  const { dataset } = button.closest("[data-text]");
  const label = button.textContent;
  button.addEventListener("click", async () => {
    if (button.dataset.do === "print") return window.print();
    if (button.dataset.do === "save") return save(dataset);
    if (!(await copy(dataset.text))) return;
    const status = button.parentElement.querySelector("[role=status]");
    status.textContent = button.textContent = button.dataset.other;
    setTimeout(() => {
      status.textContent = "";
      button.textContent = label;
    }, 3000);
  });
  button.hidden = false;
}

for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const toggle = () => {
    input.type = input.type === "password" ? "text" : "password";
    const text = button.firstChild;
    [text.data, button.dataset.other] = [button.dataset.other, text.data];
  };
  button.addEventListener("click", toggle);
  // Browsers keep what was typed into a text field; it leaves as a password.
  input.form.addEventListener("submit", () => input.type === "text" && toggle());
  button.hidden = false;
}

// A double click would send a code twice, and the second time it is spent.
for (const form of document.forms) {
  let sent = -Infinity;
  form.addEventListener("submit", (event) => {
    if (event.timeStamp - sent < 3000) event.preventDefault();
    else sent = event.timeStamp;
  });
}
