import '../../support/ahead.js';
import '../limits.test.js';
