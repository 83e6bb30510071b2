// The Khronos glTF validator on GLB files: npm install gltf-validator && node scripts/validate_glb.js FILE...
// Prints every message, and one line of counts a file; exits with 1 if there is an error or a warning.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const validator = createRequire(`${process.cwd()}/`)("gltf-validator");

(async () => {
  let bad = 0;
  for (const path of process.argv.slice(2)) {
    const { issues } = await validator.validateBytes(new Uint8Array(readFileSync(path)));
    for (const { code, message, pointer } of issues.messages) console.log(`${path}: ${code} ${pointer}: ${message}`);
    const { numErrors, numWarnings, numInfos, numHints } = issues;
    console.log(`${path}: ${numErrors} errors, ${numWarnings} warnings, ${numInfos} remarks, ${numHints} hints`);
    bad += numErrors + numWarnings;
  }
  process.exitCode = bad ? 1 : 0;
})();
