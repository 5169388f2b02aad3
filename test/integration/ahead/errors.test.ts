import '../../support/ahead.js';
import '../errors.test.js';
