import shared from './jest.config.mjs';

/** `npm run test:browser`: apart from `npm test`, because it fetches a Chromium. */
export default { ...shared, roots: ['<rootDir>/test/browser'], testMatch: ['**/*.browser.ts'], testTimeout: 120_000 };
