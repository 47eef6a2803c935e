// The files of a configuration behind tabs, alone or as what changed since others.
import { showFile } from "./code.js";
import { make } from "./make.js";

export class Files {
  constructor(tabs, view) {
    this.tabs = tabs;
    this.view = view;
  }

  /** `files` are {path, text, mode}; `before` maps paths to the texts to compare with. */
  show(files, before) {
    const gone = Object.keys(before ?? {}).filter((path) => !files.some((file) => file.path === path));
    this.files = [...files, ...gone.map((path) => ({ path, text: "" }))];
    this.before = before;
    if (!this.files.some((file) => file.path === this.path)) this.path = this.files[0]?.path;
    this.drawTabs();
    this.drawFile();
  }

  changed(file) {
    return this.before !== undefined && this.before[file.path] !== file.text;
  }

  drawTabs() {
    const tabs = this.files.map((file) => {
      const tab = make("button", { type: "button", role: "tab", title: `${file.path} ${file.mode ?? ""}`,
        aria: { selected: String(file.path === this.path) } },
        file.path.replace("/etc/config/", ""),
        ...(this.changed(file) ? [make("i", { className: "dot", title: "changed" })] : []));
      tab.addEventListener("click", () => {
        this.path = file.path;
        this.drawTabs();
        this.drawFile();
      });
      return tab;
    });
    this.tabs.replaceChildren(...tabs);
  }

  drawFile() {
    const file = this.files.find((one) => one.path === this.path);
    const top = this.view.scrollTop;
    this.shown?.destroy();
    this.shown = null;
    this.view.replaceChildren();
    if (!file) {
      this.view.append(make("p", { className: "subtle empty" }, "Nothing is configured, so there are no files."));
      return;
    }
    this.shown = showFile(this.view, file.text, this.before ? this.before[file.path] ?? "" : undefined);
    this.view.scrollTop = top;
  }
}
