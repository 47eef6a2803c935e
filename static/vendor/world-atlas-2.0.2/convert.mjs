// Makes of the atlas what Leaflet can draw at once: rings of land, lines of borders, names.
// npm install world-atlas@2.0.2 topojson-client@3.1.0 && node convert.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { feature, mesh } from "topojson-client";

const ANTARCTICA = -60;

// Scale, digits kept of a degree, and how many degrees across an island must be.
for (const [scale, digits, smallest] of [["110m", 2, 0], ["50m", 2, 0.12]]) {
  const atlas = JSON.parse(readFileSync(`node_modules/world-atlas/countries-${scale}.json`));
  const { countries, land: ground } = atlas.objects;
  const at = (value) => Number(value.toFixed(digits));

  // A ring that crosses the date line goes on beyond it instead of back across the world.
  const unwrapped = (line) => {
    let turn = 0;
    return line.map(([lon, lat], index) => {
      if (index) {
        const step = lon - line[index - 1][0];
        if (step > 180) turn -= 360;
        if (step < -180) turn += 360;
      }
      return [at(lon + turn), at(lat)];
    });
  };
  const rounded = (line) =>
    line.filter((point, index) => !index || point.join() !== line[index - 1].join());
  const across = (ring, at) => {
    const values = ring.map((point) => point[at]);
    return Math.max(...values) - Math.min(...values);
  };
  const tiny = (ring) => Math.max(across(ring, 0), across(ring, 1)) < smallest;
  const southern = (ring) => ring.every(([, lat]) => lat < ANTARCTICA);
  // What lies beyond the date line is drawn on the other side too.
  const twice = (rings) => {
    const shift = (by) => rings.map((ring) => ring.map(([lon, lat]) => [at(lon + by), lat]));
    const longitudes = rings[0].map(([lon]) => lon);
    return [
      rings,
      ...(Math.max(...longitudes) > 180 ? [shift(-360)] : []),
      ...(Math.min(...longitudes) < -180 ? [shift(360)] : []),
    ];
  };
  const polygons = feature(atlas, ground).features
    .flatMap(({ geometry }) => geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates)
    .filter(([outline]) => !southern(outline) && !tiny(outline))
    .flatMap((rings) => twice(rings.map(unwrapped)))
    .map((rings) => rings.map(rounded));
  const borders = mesh(atlas, countries, (a, b) => a !== b)
    .coordinates.map(unwrapped)
    .map(rounded);
  const names = feature(atlas, countries).features
    .filter(({ properties }) => properties.name !== "Antarctica")
    .map(({ properties, geometry }) => {
      const outlines = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
      const longest = outlines.map(([ring]) => unwrapped(ring)).sort((a, b) => b.length - a.length)[0];
      const middle = (index) => {
        const values = longest.map((point) => point[index]);
        return at((Math.min(...values) + Math.max(...values)) / 2);
      };
      return [properties.name, middle(0), middle(1)];
    });
  // Written as steps from point to point, in hundredths of a degree: half as long.
  const steps = (line) => {
    const whole = line.map((point) => point.map((value) => Math.round(value * 10 ** digits)));
    return whole.flatMap(([x, y], at) => at ? [x - whole[at - 1][0], y - whole[at - 1][1]] : [x, y]);
  };
  const land = polygons.map((rings) => rings.map(steps));
  writeFileSync(
    `world-${scale}.json`,
    JSON.stringify({ unit: 10 ** -digits, land, borders: borders.map(steps), names }),
  );
}
