// Command cyclonus runs the generated NetworkPolicy cases of github.com/mattfenwick/cyclonus.
//
// It does what that project's own `cyclonus generate` does, with its batch mode on: one exec per
// pod and look, not one per dial. v0.5.6 has all of it and no flag: `--batch-jobs` is commented out
// in pkg/cli/generate.go. Cases, expectations (its own simulation of the specification), probes
// and verdicts are that project's.
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	v1 "k8s.io/api/core/v1"
)

// A pod cannot block access to itself, says the specification; what cyclonus expects of a pod that
// dials its own Service differs, and this setting of its own leaves that out.
const ignoreLoopback = true

// A case takes about twenty seconds, five times as long on a busy machine.
const (
	caseLimit = 3 * time.Minute
	tries     = 3
)

var (
	namespaces = []string{"x", "y", "z"}
	pods       = []string{"a", "b", "c"}
	ports      = []int{80, 81}
)

func main() {
	junit := flag.String("junit", "", "file for the results")
	include := flag.String("include", "", "only cases with one of these tags, separated by commas")
	exclude := flag.String("exclude", "", "no case with one of these tags")
	protocols := flag.String("protocols", "TCP,UDP", "protocols the pods serve")
	list := flag.Bool("list", false, "print what would run, and stop")
	flag.Parse()
	if err := run(*junit, split(*include), split(*exclude), split(*protocols), *list); err != nil {
		log.Fatal(err)
	}
}

func run(junit string, include, exclude, protocols []string, list bool) error {
	if err := generator.ValidateTags(append(append([]string{}, include...), exclude...)); err != nil {
		return err
	}
	// Any address will do to count cases; the cases of ipBlock are made around it.
	address := "10.0.0.1"
	var interpreter *connectivity.Interpreter
	if !list {
		kubernetes, err := kube.NewKubernetesForContext("")
		if err != nil {
			return err
		}
		var served []v1.Protocol
		for _, protocol := range protocols {
			served = append(served, v1.Protocol(protocol))
		}
		resources, err := probe.NewDefaultResources(kubernetes, namespaces, pods, ports, served, nil, 180, true, "registry.k8s.io")
		if err != nil {
			return err
		}
		pod, err := resources.GetPod("z", "c")
		if err != nil {
			return err
		}
		address = pod.IP
		interpreter = connectivity.NewInterpreter(kubernetes, resources, &connectivity.InterpreterConfig{
			ResetClusterBeforeTestCase:       true,
			VerifyClusterStateBeforeTestCase: true,
			KubeProbeRetries:                 1,
			// A change must be obeyed within a second.
			PerturbationWaitSeconds: 1,
			BatchJobs:               true,
			IgnoreLoopback:          ignoreLoopback,
			JobTimeoutSeconds:       1,
		})
	}
	cases := generator.NewTestCaseGenerator(true, address, namespaces, include, exclude).GenerateTestCases()
	fmt.Printf("%d cases\n", len(cases))
	if list {
		return nil
	}
	printer := &connectivity.Printer{JunitResultsFile: junit, IgnoreLoopback: ignoreLoopback}
	for i, testCase := range cases {
		result, err := execute(interpreter, testCase)
		if err != nil {
			return fmt.Errorf("case %d, %s: %w", i+1, testCase.Description, err)
		}
		printer.PrintTestCaseResult(result)
		fmt.Printf("finished %d of %d: %s: passed %t\n", i+1, len(cases), testCase.Description, result.Passed(ignoreLoopback))
	}
	printer.PrintSummary()
	return nil
}

// execute runs a case, again when it comes to no end: cyclonus puts no limit on its execs, and one
// whose stream is lost is no verdict on a policy. Each try begins with a clean cluster.
func execute(interpreter *connectivity.Interpreter, testCase *generator.TestCase) (*connectivity.Result, error) {
	for try := 1; try <= tries; try++ {
		done := make(chan *connectivity.Result, 1)
		go func() { done <- interpreter.ExecuteTestCase(testCase) }()
		select {
		case result := <-done:
			return result, result.Err
		case <-time.After(caseLimit):
			fmt.Printf("no end after %s, try %d of %d: %s\n", caseLimit, try, tries, testCase.Description)
		}
	}
	return nil, fmt.Errorf("no end in %d tries of %s", tries, caseLimit)
}

func split(text string) []string {
	if text == "" {
		return []string{}
	}
	return strings.Split(text, ",")
}
