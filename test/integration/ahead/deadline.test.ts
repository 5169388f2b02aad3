import '../../support/ahead.js';
import '../deadline.test.js';
