import '../../support/ahead.js';
import '../session.test.js';
