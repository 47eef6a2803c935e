// The drawing of a topology: zoom by buttons, keys (+ - 0) and the wheel with Ctrl, moved by dragging;
// arrow keys go from a device to one that it is linked to.
const drawing = document.querySelector("svg.topology");
const whole = drawing.viewBox.baseVal;
const [width, height] = [whole.width, whole.height];
const MOST = 8;
const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
let view = { x: 0, y: 0, scale: 1 };

/** Keep the drawing in view, and draw it at this scale with (x, y) at the top left. */
function look(scale, x, y) {
  scale = Math.min(Math.max(scale, 1), MOST);
  const [w, h] = [width / scale, height / scale];
  view = { scale, x: Math.min(Math.max(x, 0), width - w), y: Math.min(Math.max(y, 0), height - h) };
  drawing.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
  drawing.classList.toggle("topology-zoomed", scale > 1);
}

/** Zoom around a point of the drawing, which stays where it is. */
function zoom(factor, [px, py] = centre()) {
  const scale = Math.min(Math.max(view.scale * factor, 1), MOST);
  const part = view.scale / scale;
  look(scale, px - (px - view.x) * part, py - (py - view.y) * part);
}

function centre() {
  const node = document.activeElement?.closest?.("svg.topology a");
  return node ? placeOf(node) : [view.x + width / view.scale / 2, view.y + height / view.scale / 2];
}

function placeOf(node) {
  return [Number(node.dataset.x), Number(node.dataset.y)];
}

function pointOf(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
  return [point.x, point.y];
}

const ZOOMS = { in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit: () => look(1, 0, 0) };
const KEYS = { "+": "in", "=": "in", "-": "out", 0: "fit" };

/** The nearest node that lies in a direction: of those linked with this one, or else of all. */
function nextTo(node, [dx, dy]) {
  const [x, y] = placeOf(node);
  const linked = new Set(
    [...drawing.querySelectorAll("path[data-from]")].flatMap(({ dataset: { from, to } }) => (from === node.dataset.node ? [to] : to === node.dataset.node ? [from] : [])),
  );
  const nodes = [...drawing.querySelectorAll("a[data-node]")].filter((one) => {
    const [ox, oy] = placeOf(one);
    const along = (ox - x) * dx + (oy - y) * dy;
    return one !== node && along > 0 && along >= Math.abs(dx ? oy - y : 0);
  });
  const distance = (one) => Math.hypot(placeOf(one)[0] - x, placeOf(one)[1] - y);
  const some = [...drawing.querySelectorAll("a[data-node]")].filter((one) => linked.has(one.dataset.node) && (placeOf(one)[0] - x) * dx + (placeOf(one)[1] - y) * dy > 0);
  return (some.length ? some : nodes).sort((one, other) => distance(one) - distance(other))[0];
}

drawing.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (KEYS[event.key]) {
    event.preventDefault();
    ZOOMS[KEYS[event.key]]();
    return;
  }
  const node = event.target.closest("a[data-node]");
  if (!node || !DIRECTIONS[event.key]) return;
  event.preventDefault();
  nextTo(node, DIRECTIONS[event.key])?.focus();
});

// Who moves by keys sees where that is.
drawing.addEventListener("focusin", (event) => {
  const node = event.target.closest("a[data-node]");
  if (!node || view.scale === 1) return;
  const [x, y] = placeOf(node);
  look(view.scale, x - width / view.scale / 2, y - height / view.scale / 2);
});

drawing.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, pointOf(event));
}, { passive: false });

let held = null;
let dragged = false;
drawing.addEventListener("pointerdown", (event) => {
  held = view.scale > 1 && event.button === 0 ? pointOf(event) : null;
  dragged = false;
});
addEventListener("pointermove", (event) => {
  if (!held) return;
  const [x, y] = pointOf(event);
  if (Math.hypot(x - held[0], y - held[1]) < 3 && !dragged) return;
  dragged = true;
  look(view.scale, view.x - (x - held[0]), view.y - (y - held[1]));
});
addEventListener("pointerup", () => { held = null; });
// The end of a drag over a device does not open it.
drawing.addEventListener("click", (event) => { if (dragged) event.preventDefault(); }, true);
drawing.addEventListener("dragstart", (event) => event.preventDefault());

for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => ZOOMS[button.dataset.zoom]());
