// Reads an AsyncAPI document with AsyncAPI's own parser and prints what it found, as JSON:
// { "problems": errors and warnings, "operations": names, "document": the document with every reference resolved }
const { Parser, fromFile, DiagnosticSeverity } = require("@asyncapi/parser");

async function main() {
  const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
  const problems = diagnostics
    .filter((found) => found.severity <= DiagnosticSeverity.Warning)
    .map((found) => `${found.path.join(".")}: ${found.message}`);
  const operations = document ? document.operations().all().map((operation) => operation.id()) : [];
  console.log(JSON.stringify({ problems, operations, document: document && document.json() }));
}

main();
