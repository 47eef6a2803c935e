// Texts in the language of the page. The skeleton of the pages loads the catalog, if it is not
// English, before any module runs.

/** The text in the language of the page. */
export const gettext = (text) => window.gettext?.(text) ?? text;

/** The text with %(name)s replaced by the values of these names. */
export const filled = (text, values) => text.replace(/%\((\w+)\)s/g, (all, name) => String(values[name] ?? all));

/** A moment as in the rest of the portal, 2026-11-30 14:25, in the time zone of the page. */
export const shownTime = (moment) =>
  new Date(moment).toLocaleString("sv", { dateStyle: "short", timeStyle: "short", timeZone: document.documentElement.dataset.timeZone || undefined });
