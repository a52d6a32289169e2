import { loneDrills } from '../support/life-cycle-drills.ts'
import { loneDrillTests } from '../support/lone-drill-tests.ts'

/** The matrix of test/nightly/life-cycle.test.ts where no other cluster keeps the network, the seal and the limits in place. */
loneDrillTests(loneDrills)
