// The terminal that both a live one and a recording are shown on.
import { FitAddon } from "../vendor/xterm-6.0.0/addon-fit.mjs";
import { Terminal } from "../vendor/xterm-6.0.0/xterm.mjs";

export function screen(element, options = {}) {
  const terminal = new Terminal({
    fontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace",
    fontSize: 14,
    scrollback: 5000,
    allowProposedApi: false,
    ...options,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  // What a device prints must not write into the clipboard (52) or rename the page (0, 1, 2).
  for (const code of [0, 1, 2, 52]) terminal.parser.registerOscHandler(code, () => true);
  terminal.open(element);
  return { terminal, fit };
}
