import shared from './jest.config.mjs';

/** `npm run test:drills`: the small drills that take longest, apart from `npm test`, which is to be over within five minutes. */
export default { ...shared, roots: ['<rootDir>/test/drills'], testMatch: ['**/*.drill.ts'], testTimeout: 300_000 };
