// Runs the unmodified balena-sdk: calls in, as JSON on stdin; what became of each, on stdout.
// Usage: node client.mjs FOLDER_OF_NPM FOLDER_OF_DATA
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const [folder, dataDirectory] = process.argv.slice(2);
const { getSdk } = createRequire(`${folder}/package.json`)("balena-sdk");
const { url, token, calls } = JSON.parse(await text(process.stdin));
const sdk = getSdk({ apiUrl: url, dataDirectory });
await sdk.auth.loginWithToken(token);

const results = [];
for (const [model, method, ...args] of calls) {
  try {
    results.push({ value: (await sdk.models[model][method](...args)) ?? null });
  } catch (error) {
    results.push({ error: error.code ?? error.name, status: error.statusCode ?? null, message: error.message });
  }
}
console.log(JSON.stringify(results));
