// Gets a certificate with the unmodified acme-client, changes the account's key, and revokes it.
// Usage: node acme_client.cjs FOLDER DIRECTORY PORT     Writes the certificate to stdout.
const { createServer } = require("node:http");
const { createRequire } = require("node:module");

const [folder, directoryUrl, port] = process.argv.slice(2);
const acme = createRequire(`${folder}/`)("acme-client");

async function main() {
  const answers = new Map();
  const server = createServer((request, response) => {
    response.end(answers.get(request.url.split("/").pop()) ?? "");
  }).listen(Number(port), "127.0.0.1");
  const client = new acme.Client({ directoryUrl, accountKey: await acme.crypto.createPrivateEcdsaKey() });
  const [, csr] = await acme.crypto.createCsr({ commonName: "localhost", altNames: ["localhost"] });
  const certificate = await client.auto({
    csr,
    email: "noc@example.org",
    termsOfServiceAgreed: true,
    challengePriority: ["http-01"],
    skipChallengeVerification: true,
    challengeCreateFn: async (_, challenge, key) => void answers.set(challenge.token, key),
    challengeRemoveFn: async (_, challenge) => void answers.delete(challenge.token),
  });
  await client.updateAccountKey(await acme.crypto.createPrivateEcdsaKey());
  await client.updateAccount({ contact: ["mailto:ops@example.org"] });
  await client.revokeCertificate(certificate, { reason: 4 });
  process.stdout.write(certificate);
  server.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
