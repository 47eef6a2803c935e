// Buttons that copy the text of another element: <button data-copy="#id">.
import { gettext } from "./words.js";
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = gettext("Copied");
    } catch {
      // Without HTTPS there is no clipboard: select it, so that Ctrl+C does.
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Press Ctrl+C";
    }
  });
}
