/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const { aria = {}, data = {}, role, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  if (role) element.setAttribute("role", role);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** Calls `run` once an element is on the screen: at once, or when its tab is opened. */
export function whenShown(element, run) {
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    run();
  });
  seen.observe(element);
}
