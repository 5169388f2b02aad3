import '../../support/ahead.js';
import '../cached-reads.test.js';
