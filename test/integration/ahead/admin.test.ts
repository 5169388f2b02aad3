import '../../support/ahead.js';
import '../admin.test.js';
