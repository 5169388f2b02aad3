import config from './jest.config.mjs';

/** The tests as ever, on sources into which the mutant that FRONTROW_MUTANT names was planted. */
export default { ...config, transform: { '^.+\\.ts$': '<rootDir>/drills/inject/jest-transform.mjs' } };
