import '../../support/ahead.js';
import '../catalogue.test.js';
