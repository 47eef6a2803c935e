// A plugin of Swagger UI. Its own resolver of OpenAPI 3.1 reads the whole document before it shows
// anything, and its own parser takes JSON for YAML: with hundreds of operations that is seconds.
const step = (value, name) => value?.[name];

/** The value that a reference such as `#/components/schemas/Device` names. */
function named(document, reference) {
  const names = reference.slice(2).split("/");
  return names.map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~")).reduce(step, document);
}

/** The value with what its references name in their places; one within itself stays a reference. */
function filled(document, value, open = []) {
  if (Array.isArray(value)) return value.map((one) => filled(document, one, open));
  if (value === null || typeof value !== "object") return value;
  const reference = value.$ref;
  if (typeof reference === "string" && reference.startsWith("#/")) {
    if (open.includes(reference)) return value;
    return filled(document, named(document, reference), [...open, reference]);
  }
  const pairs = Object.entries(value);
  return Object.fromEntries(pairs.map(([name, one]) => [name, filled(document, one, open)]));
}

window.portalDocumentation = () => ({
  fn: {
    resolveSubtree: async (document, path) => ({
      spec: filled(document, path.reduce(step, document)),
      errors: [],
    }),
  },
  statePlugins: {
    spec: {
      wrapActions: {
        parseToJson: (_original, { specActions, specSelectors }) => (text) =>
          specActions.updateJsonSpec(JSON.parse(text || specSelectors.specStr() || "{}")),
      },
    },
  },
});
