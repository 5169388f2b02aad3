// Says clearly when Node is too old; written so that any Node with modules can run it.
const NODE_OLDEST = [22, 17];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NODE_OLDEST[0] || (major === NODE_OLDEST[0] && minor < NODE_OLDEST[1])) {
  console.error(
    `Frontrow needs Node ${NODE_OLDEST.join('.')} or newer, and this is ${process.versions.node}. On Linux "npm ci" brings a fitting one along, which the npm scripts\n` +
      'use by themselves unless optional dependencies were left out; elsewhere install Node 24, or run everything in containers, as docker-compose.yml says: docker compose up --build',
  );
  process.exit(1);
}
