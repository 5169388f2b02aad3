export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': '@swc/jest' },
  testTimeout: 30_000,
  maxWorkers: 2,
  workerIdleMemoryLimit: '1500MB',
  collectCoverageFrom: ['src/**/*.ts'],
};
