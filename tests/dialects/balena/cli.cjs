// Runs commands of the unmodified balena-cli in one process, as starting it takes long: commands
// in, as JSON on stdin; the exit code and output of each, on stdout.
// Usage: node cli.cjs FOLDER_OF_NPM
const { createRequire } = require("node:module");
const { text } = require("node:stream/consumers");

const [folder] = process.argv.slice(2);
const { run } = createRequire(`${folder}/package.json`)("balena-cli/build/app");
const options = { dir: `${folder}/node_modules/balena-cli/bin`, noFlush: true };
class Exit extends Error {}

async function outcome(words) {
  const written = { stdout: [], stderr: [] };
  const own = { exit: process.exit, argv: process.argv };
  const writes = {};
  for (const name of ["stdout", "stderr"]) {
    writes[name] = process[name].write;
    process[name].write = (chunk) => written[name].push(String(chunk)) > 0;
  }
  process.exitCode = 0;
  process.argv = ["node", "balena", ...words];
  process.exit = (code) => {
    process.exitCode = code ?? process.exitCode;
    throw new Exit();
  };
  try {
    await run(process.argv, options);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  } finally {
    Object.assign(process, own);
    for (const name of ["stdout", "stderr"]) process[name].write = writes[name];
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { code, stdout: written.stdout.join(""), stderr: written.stderr.join("") };
}

(async () => {
  const results = [];
  for (const words of JSON.parse(await text(process.stdin))) results.push(await outcome(words));
  process.stdout.write(JSON.stringify(results));
})();
