// json-editor in the portal's clothes.
import { gettext } from "./words.js";
let defined = false;

export function defineTheme() {
  if (defined) return;
  defined = true;
  const { AbstractTheme, defaults } = window.JSONEditor;
  Object.assign(defaults.languages.en, {
    button_properties: gettext("Choose fields…"),
    button_object_properties: gettext("Choose fields…"),
    button_add_row_title: "Add {{0}}",
    error_oneOf: gettext("Correct the fields below."),
    button_delete_node_warning: gettext("Remove this?"),
  });

  defaults.themes.portal = class extends AbstractTheme {
    getFormInputField(type) {
      const element = super.getFormInputField(type);
      if (!["checkbox", "radio", "range"].includes(type)) element.classList.add("input");
      return element;
    }

    getSelectInput(...told) {
      const element = super.getSelectInput(...told);
      element.classList.add("input");
      return element;
    }

    getTextareaInput() {
      const element = super.getTextareaInput();
      element.classList.add("input", "mono");
      return element;
    }

    getFormControl(...told) {
      const element = super.getFormControl(...told);
      element.className = "je-row";
      return element;
    }

    getFormCheckboxControl(...told) {
      const element = super.getFormCheckboxControl(...told);
      element.classList.add("je-check");
      return element;
    }

    getDescription(text) {
      const element = document.createElement("p");
      element.className = "je-description";
      element.textContent = this.cleanText(text);
      return element;
    }

    getButton(text, icon, title) {
      const element = super.getButton(text, icon, title);
      element.classList.add("je-button");
      return element;
    }

    getErrorMessage(text) {
      const element = document.createElement("p");
      element.className = "complaint";
      element.textContent = text;
      return element;
    }

    addInputError(input, text) {
      input.setAttribute("aria-invalid", "true");
      if (!input.errmsg) {
        input.errmsg = this.getErrorMessage("");
        input.errmsg.setAttribute("role", "alert");
        input.parentNode?.append(input.errmsg);
      }
      input.errmsg.textContent = text;
      input.errmsg.hidden = false;
    }

    removeInputError(input) {
      input.removeAttribute("aria-invalid");
      if (input.errmsg) input.errmsg.hidden = true;
    }
  };
}
