import '../../support/ahead.js';
import '../queue-pass.test.js';
