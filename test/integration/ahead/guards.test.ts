import '../../support/ahead.js';
import '../guards.test.js';
