import '../../support/ahead.js';
import '../edge.test.js';
