// Fields marked data-secret show dots until somebody asks for the text.
import { make } from "./make.js";
import { gettext } from "./words.js";

for (const input of document.querySelectorAll("input[data-secret]")) {
  if (input.readOnly || input.disabled) continue;
  input.type = "password";
  const show = make("button", { type: "button", className: "button" }, "Show");
  const copy = make("button", { type: "button", className: "button" }, "Copy");
  show.addEventListener("click", () => {
    input.type = input.type === "password" ? "text" : "password";
    show.textContent = input.type === "password" ? gettext("Show") : gettext("Hide");
  });
  copy.addEventListener("click", async () => {
    input.type = "text";
    input.select();
    try {
      await navigator.clipboard.writeText(input.value);
      copy.textContent = gettext("Copied");
    } catch {
      copy.textContent = "Press Ctrl+C";
    }
  });
  const box = make("div", { className: "secret-box" });
  input.replaceWith(box);
  box.append(input, show, copy);
}
