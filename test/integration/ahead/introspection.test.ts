import '../../support/ahead.js';
import '../introspection.test.js';
