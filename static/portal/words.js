// Texts in the language of the page. The skeleton of the pages loads the catalog, if it is not
// English, before any module runs.

/** The text in the language of the page. */
export const gettext = (text) => window.gettext?.(text) ?? text;

/** The text with %(name)s replaced by the values of these names. */
export const filled = (text, values) => text.replace(/%\((\w+)\)s/g, (all, name) => String(values[name] ?? all));
