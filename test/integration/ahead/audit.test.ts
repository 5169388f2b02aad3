import '../../support/ahead.js';
import '../audit.test.js';
