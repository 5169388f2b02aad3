import '../../support/ahead.js';
import '../ownership.test.js';
