import '../../support/ahead.js';
import '../hold.test.js';
