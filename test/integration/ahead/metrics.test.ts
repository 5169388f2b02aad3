import '../../support/ahead.js';
import '../metrics.test.js';
