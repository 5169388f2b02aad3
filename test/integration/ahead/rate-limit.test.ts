import '../../support/ahead.js';
import '../rate-limit.test.js';
