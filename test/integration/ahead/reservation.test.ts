import '../../support/ahead.js';
import '../reservation.test.js';
