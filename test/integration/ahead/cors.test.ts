import '../../support/ahead.js';
import '../cors.test.js';
