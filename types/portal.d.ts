// What the type checker cannot see: libraries that pages load as scripts, and what pages hold.
import * as leaflet from "leaflet";

declare global {
  // What a selector finds may be a field, a form, a link, a template or a dialog.
  interface ParentNode {
    querySelector(selectors: string): any;
    querySelectorAll(selectors: string): NodeListOf<any>;
  }
  interface Element {
    closest(selectors: string): any;
  }
  interface Window {
    L: typeof leaflet & Record<string, any>;
    JSONEditor: any;
    Chart: any;
    django?: { jQuery?: any };
    gettext?: (text: string) => string;
    Actions?: (boxes: NodeListOf<any>, options: object) => void;
    getCurrentTab(): string;
    searchCommand(): object;
    portalDocumentation: () => object;
  }
  const Alpine: any;
  interface HTMLElement {
    showModal(): void;
  }
}
